"""What is served is text that Prometheus reads, whatever users call their things."""

from prometheus_client.parser import text_string_to_metric_families

from locust_fleet.runtime.exposition import family, process_metrics


def test_every_character_of_a_label_comes_through() -> None:
    name = 'a "quoted" \\ back\nline, {braces} é 100 %'

    [metric] = text_string_to_metric_families(family("m", "gauge", "About.", [({"n": name}, 1.5)]))

    assert [(sample.labels["n"], sample.value) for sample in metric.samples] == [(name, 1.5)]


def test_a_large_number_keeps_every_digit() -> None:
    text = family("m", "gauge", "About.", [({}, 1_763_714_553.123)])

    assert text.endswith("m 1763714553.123\n")


def test_a_process_tells_its_memory_and_time() -> None:
    text = process_metrics()().decode()

    assert "process_resident_memory_bytes" in text
    assert "process_cpu_seconds_total" in text
