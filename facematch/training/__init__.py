"""Training of embedding networks: data, augmentation, losses, mining, loop and export."""
