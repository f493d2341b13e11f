"""Mixed precision where it pays: BF16 on a GPU and on processors that compute in it."""

from __future__ import annotations

import torch

# What x86 and ARM call it; elsewhere BF16 is computed bit by bit, ten times slower than FP32.
NATIVE = ("avx512_bf16", "amx_bf16", "bf16")


def mixed(device: torch.device) -> torch.autocast:
    """Return the context that a network's steps are computed in; FP32 where BF16 is slow."""
    return torch.autocast(device.type, torch.bfloat16, enabled=pays(device))


def pays(device: torch.device) -> bool:
    """Return whether a device computes in BF16 itself."""
    if device.type != "cpu":
        return True
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in NATIVE)
