"""The networks, assembled from `fsanet_tf.layers`."""
