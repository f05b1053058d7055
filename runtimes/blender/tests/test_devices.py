"""What renders: refusals where there is no card, and the trial of one. No card is needed, and none is used."""

from conftest import python

REFUSED = """
import sys
sys.path.insert(0, sys.argv[1])
import benchmark, device_check, faults, numpy

class Bare:
    scene = None
    def progress(self, percent): pass

true = device_check.picture
changed = {"black": lambda image: image * 0, "bright": lambda image: image * 1.2, "nan": lambda image: image + numpy.nan}
for name, change in changed.items():
    def picture(scene, device, folder):
        image, took = true(scene, "cpu", folder)
        return (image if device == "cpu" else change(image)), took
    device_check.picture = picture
    device_check.devices.choose = lambda scene, request: "a card"
    try:
        device_check.check(Bare(), {"device": "cuda"}, sys.argv[2])
    except faults.Fault as fault:
        print(name, fault.code)
"""


def test_a_card_that_is_not_there_is_refused_and_nothing_is_rendered_instead(session, frame):
    for device, words in (("cuda", "CUDA"), ("optix", "OptiX"), ("hip", "HIP")):
        said = session.run(kind="render", frame=2, device=device)
        assert said.startswith("tatau_error: no_device ") and words in said, said
    assert "it must be one of cpu, cuda, optix, hip" in session.run(kind="render", frame=2, device="CPU")
    assert "must be one of" in session.run(kind="crops", frame=2, device=7, crops=[{"x": 0, "y": 0, "w": 8, "h": 8}])
    again = session.run(kind="render", frame=2, device="cpu")
    assert (again["out"] / again["tiles"]).read_bytes() == (frame["out"] / frame["tiles"]).read_bytes()


def test_the_benchmark_is_rendered_on_what_is_asked_for(bare):
    wanted = {"kind": "benchmark", "seed": 3, "width": 32, "height": 32, "samples": 1}
    assert "no_device" in bare.run(**wanted, device="optix")
    assert "no_device" in bare.run(kind="crops", device="hip", benchmark=wanted, crops=[{"x": 0, "y": 0, "w": 8, "h": 8}])
    assert bare.run(**wanted, device="cpu")["pixels"] == 1024


def test_the_trial_compares_with_the_processor(bare):
    tried = bare.run(kind="check_device", device="cpu")
    assert (tried["unlike_ppm"], tried["equal_ppm"], tried["repeats_exactly"]) == (0, 1_000_000, True)
    said = bare.run(kind="check_device", device="cuda")
    assert said.startswith("tatau_error: no_device "), said


def test_a_card_that_renders_something_else_is_refused(room):
    from conftest import RUNTIME

    said = python(REFUSED, RUNTIME, room).split("\n")
    assert [line for line in said if line.endswith("wrong_pixels")] == ["black wrong_pixels", "bright wrong_pixels", "nan wrong_pixels"]
