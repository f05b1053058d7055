"""Which settings of a scene a render changes, and how they are put back."""

STAMPS = ("use_stamp", *(f"use_stamp_{what}" for what in (
    "camera", "date", "filename", "frame", "frame_range", "hostname", "lens", "marker", "memory", "note", "render_time", "scene", "sequencer_strip", "time")))


class Restored:
    """Puts the scene's settings back that `freeze` and crops changed, so that one request cannot leak into the next."""

    RENDER = ("resolution_x", "resolution_y", "resolution_percentage", "use_border", "use_crop_to_border", "border_min_x",
              "border_max_x", "border_min_y", "border_max_y", "use_persistent_data", "filepath", "use_compositing", "use_sequencer", *STAMPS)
    IMAGE = ("media_type", "file_format", "color_mode", "color_depth", "exr_codec", "use_exr_interleave", "views_format")
    STEREO = ("display_mode", "use_squeezed_frame")
    CYCLES = ("samples", "seed", "use_animated_seed", "use_denoising", "device")
    LAYER = ("denoising_store_passes", "pass_render_time")

    def __init__(self, scene):
        image = scene.render.image_settings
        self.targets = [(scene.render, self.RENDER), (image, self.IMAGE), (image.stereo_3d_format, self.STEREO)]
        if scene.render.engine == "CYCLES":
            self.targets.append((scene.cycles, self.CYCLES))
            self.targets.extend((layer.cycles, self.LAYER) for layer in scene.view_layers)

    def __enter__(self):
        self.kept = [(target, {key: getattr(target, key) for key in keys if hasattr(target, key)}) for target, keys in self.targets]

    def __exit__(self, *_):
        for target, values in self.kept:
            for key, value in values.items():
                setattr(target, key, value)


CHANGED = (*Restored.RENDER, *Restored.CYCLES, *Restored.LAYER, *Restored.IMAGE)
