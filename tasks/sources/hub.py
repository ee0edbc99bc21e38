"""Models on the Hugging Face hub, pinned to a commit."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from tasks.sources.source import Pinned
from tasks.stage.errors import BadInput, Unavailable

_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?(@[\w./-]+)?")
T = TypeVar("T")


def looks_like_id(uri: str) -> bool:
    """Whether it could be `name`, `org/name` or `org/name@revision`."""
    return _ID.fullmatch(uri) is not None


class Hub:
    """A model repository; `org/name@revision` asks for a branch, tag or commit other than main."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.repository, _, revision = uri.partition("@")
        self.revision = revision or None

    def files(self) -> list[Pinned]:
        """Every file of the repository at the commit that the revision names now."""
        from huggingface_hub import HfApi

        def look() -> list[Pinned]:
            info = HfApi().model_info(
                self.repository, revision=self.revision, files_metadata=True, timeout=20
            )
            return sorted(
                Pinned(file.rfilename, file.size or 0, revision=info.sha)
                for file in info.siblings or []
            )

        return self._asked(look)

    def fetch(self, pinned: Pinned) -> Path:
        """The file at the pinned commit, from the hub's own cache if it is there."""
        from huggingface_hub import hf_hub_download

        def get() -> Path:
            return Path(hf_hub_download(self.repository, pinned.path, revision=pinned.revision))

        path = self._asked(get)
        if path.stat().st_size != pinned.size:
            raise Unavailable(f"{self.uri}: {pinned.path} came incomplete: run again")
        return path

    def _asked(self, question: Callable[[], T]) -> T:
        import httpx2
        from huggingface_hub import errors

        both = f"{self.uri}: there is no such folder here, and as a hub id"
        try:
            return question()
        except errors.GatedRepoError:
            raise BadInput(f"{both} it needs access: ask for it, then set HF_TOKEN") from None
        except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError):
            raise BadInput(f"{both} it is not known (or private: set HF_TOKEN)") from None
        except (errors.HfHubHTTPError, errors.OfflineModeIsEnabled, httpx2.HTTPError, OSError) as e:
            why = " ".join(str(e).split())[:200] or type(e).__name__
            raise Unavailable(f"{both} it can't be reached ({why})") from None
