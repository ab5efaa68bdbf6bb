"""torch.compile for models whose texts are of any length."""

from typing import Any

from torch import nn


class Compilable:
    """What both kinds of model do to be compiled."""

    @property
    def backbones(self) -> list[nn.Module]:
        """The transformers."""
        raise NotImplementedError

    def compile(self, *arguments: Any, **options: Any) -> None:
        """Compile the backbone in place by ``torch.compile``, for batches of any shape; weights keep their names.

        The first batches are slow, while torch compiles; it pays off for millions of texts on a GPU.

        Args:
            *arguments: As of ``torch.compile``.
            **options: As of ``torch.compile``; ``dynamic`` is true unless given.
        """
        for backbone in self.backbones:
            backbone.compile(*arguments, **{"dynamic": True, **options})
