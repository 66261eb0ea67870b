"""The networks, assembled from `fsanet_tf.layers`; imported when first used."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "build": ["build_model"],
        "config": ["FSANetConfig", "FusionConfig", "SSRNetConfig", "list_variants"],
        "fsanet": ["build_fsanet"],
        "fusion": ["build_fusion"],
        "ssrnet": ["build_ssrnet"],
    },
)
