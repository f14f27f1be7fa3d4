"""The provider plugins of the embedded default: `aws` against the emulator, and `random`."""
