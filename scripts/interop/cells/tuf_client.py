"""python-tuf reads the sandbox's repository from its first root on: tuf_client.py MIRROR ROOT OUT TARGET..."""

import pathlib
import sys

from tuf.ngclient import Updater

mirror, root, out = sys.argv[1:4]
folder = pathlib.Path(out)
(folder / "metadata").mkdir(parents=True)
(folder / "targets").mkdir()
updater = Updater(
    metadata_dir=str(folder / "metadata"),
    metadata_base_url=mirror,
    target_dir=str(folder / "targets"),
    target_base_url=f"{mirror}/targets",
    bootstrap=pathlib.Path(root).read_bytes(),
)
updater.refresh()
for name in sys.argv[4:]:
    info = updater.get_targetinfo(name)
    assert info is not None, f"no target {name}"
    print(name, updater.download_target(info))
