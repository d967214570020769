"""The hot folder: pictures are dropped in, paintings come out, each exactly once.

What the system tells of changes is a hint to look, never more: the truth is a walk through the
folder (`tree`), compared with a journal on disk (`journal`). A picture is known by its path, size,
modification time and inode, and by the digest of its bytes. Threads read, paint and publish
(`pipeline`), one watcher keeps several folders (`folder`, `watcher`).

What a kill at any moment leaves, in the order of a picture's life, and what the next start does:

    1. before the journal knows it           nothing there; it is found again
    2. journal: running                      nothing published; it is ready again
    3. painted, draft half-written           a draft `.impasto-TAG-….part` unknown to the journal: swept
    4. draft complete and on the disk        the same
    5. journal: publishing (target, draft, and the draft's size, time and inode)
                                             the draft is there: it is renamed to its target now
    6. draft renamed to its target           the draft is gone and the target has the draft's size,
                                             time and inode: it is published, the journal follows
    7. journal: painted                      nothing to do, but to move the original when asked to
    8. original moved to `processed`         nothing

The rename in 6 is the only moment at which a painting appears, so it appears once and complete. The
journal commits to the disk (WAL, synchronous=FULL) before each step that needs its word, drafts and
folders are synced before and after the rename: the same holds when the power fails. Originals are
opened for reading only.
"""

from impasto.hotfolder.events import Event
from impasto.hotfolder.folder import Folder
from impasto.hotfolder.recipe import Recipe
from impasto.hotfolder.settings import Settings
from impasto.hotfolder.status import summary
from impasto.hotfolder.watcher import Watcher

__all__ = ["Event", "Folder", "Recipe", "Settings", "Watcher", "summary"]
