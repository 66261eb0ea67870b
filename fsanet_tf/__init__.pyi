from .batch.config import LabelConfig
from .batch.label import label
from .data.augmentation_config import AugmentationConfig
from .data.dataset import FaceDataset, load_dataset, save_dataset
from .data.preprocessing.biwi import BiwiConfig
from .data.preprocessing.crops import preprocess
from .data.preprocessing.face_table import FaceTableConfig
from .data.preprocessing.landmark_pairs import LandmarkPairsConfig
from .data.preprocessing.synthetic import SyntheticConfig, synthesize
from .detection.detection import Detection
from .detection.detectors import list_detectors, make_detector
from .detection.face_pose import FacePose
from .drawing.faces import draw_faces
from .errors import InputError
from .evaluation.config import EvaluationConfig
from .evaluation.evaluate import evaluate
from .export.config import ExportConfig
from .export.export import export_model
from .geometry.camera import camera_matrix
from .geometry.crop import CropRule
from .io.images import read_image, write_image
from .models.build import build_model
from .models.config import FSANetConfig, list_variants
from .networks.keras_files import load_model, save_model
from .networks.network import Network, load_network
from .networks.pretrained import list_networks
from .prediction.estimate import estimate
from .prediction.pose_tracker import PoseTracker
from .prediction.predictor import PosePredictor
from .prediction.sinks import TableSink, TimeSequence, VideoSink
from .prediction.sources import Frame
from .prediction.track import track
from .registry import register
from .training.config import TrainingConfig
from .training.trainer import train

__all__ = [
    "AugmentationConfig",
    "BiwiConfig",
    "CropRule",
    "Detection",
    "EvaluationConfig",
    "ExportConfig",
    "FSANetConfig",
    "FaceDataset",
    "FacePose",
    "FaceTableConfig",
    "Frame",
    "InputError",
    "LabelConfig",
    "LandmarkPairsConfig",
    "Network",
    "PosePredictor",
    "PoseTracker",
    "SyntheticConfig",
    "TableSink",
    "TimeSequence",
    "TrainingConfig",
    "VideoSink",
    "build_model",
    "camera_matrix",
    "draw_faces",
    "estimate",
    "evaluate",
    "export_model",
    "label",
    "list_detectors",
    "list_networks",
    "list_variants",
    "load_dataset",
    "load_model",
    "load_network",
    "make_detector",
    "preprocess",
    "read_image",
    "register",
    "save_dataset",
    "save_model",
    "synthesize",
    "track",
    "train",
    "write_image",
]

__version__: str
