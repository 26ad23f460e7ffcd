"""Where real (and phantom) images come from."""
