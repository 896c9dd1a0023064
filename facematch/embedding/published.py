"""Networks that others trained and published, which ``models pull`` installs.

Data only: what the file is, where it is, how its network wants its pixels, and what its
authors say about it. This is the one place in the package that names a host, and nothing
here is fetched before a person asks for it.

A ``sha256`` is taken from public projects that pin the same file; it could not be checked
against the file itself when it was written down here. A file for which none is known is
accepted only when the person who pulls it vouches for its hash, and is pinned from then on
(see ``facematch.embedding.pins``).
"""

from __future__ import annotations

from dataclasses import dataclass

from facematch.embedding.bundle import Preprocessing
from facematch.types import Alignment

_RELEASE = "https://github.com/timesler/facenet-pytorch/releases/download/v2.2.9"

# Both files are near 107 MiB; anything far larger is not one of them.
LARGEST_FILE_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class PublishedModel:
    """A published network.

    Attributes:
        name: as ``--model`` takes it.
        url: of the file, as the project's own loader names it.
        file_name: of the file.
        sha256: hexadecimal digest of the file, or None if no project is known to pin it.
        architecture: name in ``facematch.embedding.networks.NETWORKS``.
        embedding_size: length of a template.
        alignment: how faces are cut for it.
        preprocessing: of the pixels.
        description: one line for a list.
        licence: of code and weights.
        training_data: what it was trained on, and by whom.
        terms: what that data was released for.
        reported_accuracy: as its authors report it; not measured by facematch.
    """

    name: str
    url: str
    file_name: str
    sha256: str | None
    architecture: str
    embedding_size: int
    alignment: Alignment
    preprocessing: Preprocessing
    description: str
    licence: str
    training_data: str
    terms: str
    reported_accuracy: str


def _facenet(
    name: str, file_name: str, sha256: str | None, *, data_set: str, source: str, accuracy: str
) -> PublishedModel:
    return PublishedModel(
        name=name,
        url=f"{_RELEASE}/{file_name}",
        file_name=file_name,
        sha256=sha256,
        architecture="inception-resnet-v1",
        embedding_size=512,
        # What facenet-pytorch does to a face: its MTCNN box without margin, resized to
        # 160x160, then fixed_image_standardization.
        alignment=Alignment("box", 160),
        preprocessing=Preprocessing(mean=127.5, scale=1 / 128, mirror=False),
        description=f"InceptionResnetV1 of facenet-pytorch, trained on {data_set}",
        licence=(
            "MIT for the code of facenet and of facenet-pytorch; the weights were published "
            "with it and carry no licence of their own"
        ),
        training_data=(
            f"{data_set} ({source}), by David Sandberg's facenet; weights converted to torch "
            "by facenet-pytorch"
        ),
        terms=(
            f"{data_set} was released for research; whether weights trained on it may be used "
            "for anything else is for you to find out"
        ),
        reported_accuracy=f"LFW accuracy {accuracy}, as its authors report",
    )


PUBLISHED: dict[str, PublishedModel] = {
    model.name: model
    for model in (
        _facenet(
            "facenet-vggface2",
            "20180402-114759-vggface2.pt",
            "281cebca8662831adb987a874bdcb36e73f5b1c6dc5ee5878f305e985625d99b",
            data_set="VGGFace2",
            source="Cao et al., FG 2018, arXiv 1710.08092",
            accuracy="0.9965",
        ),
        _facenet(
            "facenet-casia",
            "20180408-102900-casia-webface.pt",
            None,
            data_set="CASIA-WebFace",
            source="Yi et al., arXiv 1411.7923",
            accuracy="0.9905",
        ),
    )
}
