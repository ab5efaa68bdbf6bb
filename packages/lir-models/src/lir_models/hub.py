"""Publishing a model on the Hugging Face hub."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from lir_models.errors import ModelNotFoundError
from lir_models.model_card import ModelCard


class Publishable:
    """What both kinds of model do to be published."""

    def save_pretrained(self, folder: str | Path, *, overwrite: bool = False, card: ModelCard | None = None) -> None:
        """Save the model."""
        raise NotImplementedError

    def push_to_hub(
        self,
        name: str,
        *,
        card: ModelCard | None = None,
        private: bool | None = None,
        token: str | bool | None = None,
        revision: str | None = None,
        commit_message: str = "Add a model saved by lir",
    ) -> str:
        """Save the model and upload it.

        Args:
            name: ``user/name``; the repository is made where there is none.
            card: What its card says beside what the files do: training data, metrics, license.
            private: Whether a new repository is private; None for the user's usual.
            token: An access token; None for the one that is logged in.
            revision: A branch; None for the main one.
            commit_message: Of the upload.

        Returns:
            The address of the commit.

        Raises:
            ModelNotFoundError: If the hub refuses, or cannot be reached.
        """
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError

        api: Any = HfApi(token=token)
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / name.rpartition("/")[2]
            self.save_pretrained(folder, card=replace(card or ModelCard(), name=name))
            try:
                api.create_repo(name, private=private, exist_ok=True)
                commit = api.upload_folder(
                    repo_id=name, folder_path=folder, revision=revision, commit_message=commit_message
                )
            except (HfHubHTTPError, HFValidationError, OSError) as error:
                reason = " ".join(str(error).split())
                raise ModelNotFoundError(f"'{name}' was not uploaded to the Hugging Face hub: {reason}") from error
        return commit.commit_url
