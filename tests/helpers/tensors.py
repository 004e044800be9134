"""Tensors and results of runs, changed and signed again by whoever lies about them."""

import json

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save

from harness.files import digest_bytes, dump_json
from helpers.forge import redigest, resign
from leaderboard.formats.layout import MASKS, tensor_files, weights_file
from leaderboard.verification.tensors import mask_digest

MODULES = ("encoder", "critic", "actor")
TENSORS = tensor_files(MODULES)


class Run:
    """The files of one run, to be changed and written back by whoever signs a lie."""

    def __init__(self, entry, regime):
        """Reads the run of a regime."""
        self.name = f"runs/cartpole-swingup/{regime}/0"
        self.entry, self.folder = entry, entry.parent / self.name
        self.result = json.loads((self.folder / "result.json").read_bytes())
        self.tensors = {name: load_file(self.folder / name) for name in TENSORS}
        with safe_open(self.folder / MASKS, framework="numpy") as file:
            self.chains = json.loads(file.metadata()["digests"])

    def mask(self, when, module, layer):
        """The packed bits of a mask, `first` or `last`."""
        return self.tensors[MASKS][f"{when}/{module}/{layer}.weight"]

    def weight(self, module, layer):
        """The final weights of a layer."""
        return self.tensors[weights_file(module)][f"{layer}.weight"]

    def weights(self, module):
        """The final weights of a module's layers, by their names in the file."""
        own = self.tensors[weights_file(module)]
        return {name: own[name] for name in sorted(own) if name.endswith(".weight")}

    def rechain(self, module):
        """Lets the digests follow the masks, as the liar's program would."""
        weights = self.weights(module)
        ends = []
        for when in ("first", "last"):
            masks = {}
            for name, weight in weights.items():
                packed = self.mask(when, module, name.removesuffix(".weight"))
                masks[name] = np.unpackbits(packed, count=weight.size).reshape(weight.shape)
            ends.append(mask_digest(masks))

        self.chains[module][0], self.chains[module][-1] = ends
        self.result["mask_first"][module], self.result["mask_last"][module] = ends

    def sign(self):
        """Writes everything back and signs it; the verdict."""
        files = {name: save(tensors) for name, tensors in self.tensors.items()}
        digests = {"digests": dump_json(self.chains).decode()}
        files[MASKS] = save(self.tensors[MASKS], metadata=digests)
        return self.sign_files(files)

    def sign_files(self, files):
        """Writes files of the run, where None removes one, and signs; the verdict."""
        files = {**files, "result.json": dump_json(self.result)}
        for name, content in files.items():
            if content is None:
                (self.folder / name).unlink()
            else:
                (self.folder / name).write_bytes(content)

        def change(statement):
            """States the result and the files as they are now."""
            runs = statement["predicate"]["runs"]
            regimes = [run["regime"] for run in runs]
            runs[regimes.index(self.result["regime"])] = self.result

            removed = [f"{self.name}/{name}" for name, content in files.items() if content is None]
            subjects = statement["subject"]
            statement["subject"] = [s for s in subjects if s["name"] not in removed]
            written = {name: content for name, content in files.items() if content is not None}
            digests = {f"{self.name}/{name}": digest_bytes(written[name]) for name in written}
            redigest(statement, digests)

        return resign(self.entry, change)
