"""The HeadGAN generator: networks, training, export and the engines that run it."""
