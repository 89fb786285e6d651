"""Scrapes for tests: what a Prometheus would read, by the client's own parser."""

from dataclasses import dataclass

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from events.metrics import EVENT_PATH

Labels = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Scrape:
    """Every sample of one scrape, by its name and labels."""

    samples: dict[tuple[str, Labels], float]

    def value(self, name: str, **labels: str) -> float:
        """Return one sample, which must be there."""
        return self.samples[name, frozenset(labels.items())]

    def has(self, name: str) -> bool:
        """Tell whether there is any sample of this name."""
        return any(each == name for each, _ in self.samples)

    def since(self, earlier: "Scrape") -> dict[str, float]:
        """Return what grew since `earlier`, summed over labels, by name; histograms by count."""
        grown: dict[str, float] = {}
        for key, value in self.samples.items():
            more = value - earlier.samples.get(key, 0.0)
            if more and not key[0].endswith(("_bucket", "_sum")):
                grown[key[0]] = grown.get(key[0], 0.0) + more
        return grown


def parse(text: str) -> Scrape:
    """Return the samples of a page in Prometheus' text format."""
    return Scrape(
        {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }
    )


def scrape(collector: Collector = EVENT_PATH) -> Scrape:
    """Return what `collector` has now; by default what this process has counted."""
    return parse(generate_latest(collector).decode())
