from .batch.config import LabelConfig, LabelerConfig
from .batch.label import LabelReport, label
from .batch.ray_engine import label_dataset
from .data.augmentation_config import AugmentationConfig
from .data.dataset import FaceDataset, load_dataset, save_dataset
from .data.preprocessing.biwi import BiwiSettings, create_biwi
from .data.preprocessing.face_table import create_from_table
from .data.preprocessing.landmark_pairs import create_300w_lp
from .data.preprocessing.parts import PreprocessingReport
from .data.preprocessing.synthetic import create_synthetic
from .data.tfrecords import write_shards
from .detection.detection import Detection, Detector
from .detection.detectors import DetectorKind, list_detectors, make_detector
from .detection.face_pose import FacePose
from .detection.tracking import Tracker
from .drawing.faces import draw_faces
from .drawing.poses import draw_axes, draw_cube, draw_face
from .errors import InputError, MissingExtraError
from .evaluation.comparison import Comparison, compare_reports
from .evaluation.evaluate import EvaluationReport, evaluate
from .evaluation.metrics import Errors
from .export.config import ExportConfig, ExportFormat
from .export.export import ExportReport, export_model
from .geometry.camera import camera_matrix, pose_in_camera
from .geometry.crop import CropRule
from .geometry.pose import (
    mirror_poses,
    poses_from_rotations,
    quaternions,
    rotate_poses,
    rotation_matrices,
)
from .io.images import read_image, write_image
from .models.backbone import Backbone
from .models.build import build_model
from .models.config import FSANetConfig, FusionConfig, SSRNetConfig, list_variants
from .networks.keras_files import load_model, save_model
from .networks.network import Network, load_network
from .networks.pretrained import list_networks
from .networks.released.convert import convert_released
from .prediction.estimate import estimate
from .prediction.heatmap import draw_heatmaps
from .prediction.predict import FramePoses, PredictionConfig, predict
from .prediction.predictor import PosePredictor
from .prediction.smoothing import PoseSmoother, SmoothingConfig
from .registry import register
from .training.config import TrainingConfig
from .training.trainer import train

__all__ = [
    "AugmentationConfig",
    "Backbone",
    "BiwiSettings",
    "Comparison",
    "CropRule",
    "Detection",
    "Detector",
    "DetectorKind",
    "Errors",
    "EvaluationReport",
    "ExportConfig",
    "ExportFormat",
    "ExportReport",
    "FSANetConfig",
    "FaceDataset",
    "FacePose",
    "FramePoses",
    "FusionConfig",
    "InputError",
    "LabelConfig",
    "LabelReport",
    "LabelerConfig",
    "MissingExtraError",
    "Network",
    "PosePredictor",
    "PoseSmoother",
    "PredictionConfig",
    "PreprocessingReport",
    "SSRNetConfig",
    "SmoothingConfig",
    "Tracker",
    "TrainingConfig",
    "build_model",
    "camera_matrix",
    "compare_reports",
    "convert_released",
    "create_300w_lp",
    "create_biwi",
    "create_from_table",
    "create_synthetic",
    "draw_axes",
    "draw_cube",
    "draw_face",
    "draw_faces",
    "draw_heatmaps",
    "estimate",
    "evaluate",
    "export_model",
    "label",
    "label_dataset",
    "list_detectors",
    "list_networks",
    "list_variants",
    "load_dataset",
    "load_model",
    "load_network",
    "make_detector",
    "mirror_poses",
    "pose_in_camera",
    "poses_from_rotations",
    "predict",
    "quaternions",
    "read_image",
    "register",
    "rotate_poses",
    "rotation_matrices",
    "save_dataset",
    "save_model",
    "train",
    "write_image",
    "write_shards",
]

__version__: str
