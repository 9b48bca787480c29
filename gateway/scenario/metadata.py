"""How an asset came to be: what it was made from, by which model, and with which parameters."""

from datetime import datetime

import strawberry

from gateway.graph.document_type import DocumentType, wire
from gateway.graph.scalars import BigInt
from gateway.scenario.asset_types import AssetType
from gateway.scenario.enums import AssetKind, AssetStyle, ImageType, InputFidelity, InputLocation, Modality, ModelType
from gateway.scenario.images import AssetImage


def read_seed(value: object) -> str | None:
    """Read a seed, which Scenario sends as a string or a number, as digits. None for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


@strawberry.type(description="A LoRA, a small model on top of another, that styled an image.")
class MetadataConcept(DocumentType):
    model_id: strawberry.ID | None = wire("The LoRA.")
    scale: float | None = wire("How much it counts; from 0 to 2 for FLUX.1 Kontext.")
    model_epoch: str | None = wire("The epoch of its training, such as 000001.")


@strawberry.type(description="How an asset came to be; which fields are set depends on `type`.")
class AssetMetadata(DocumentType):
    kind: AssetKind = wire("What the asset holds.")
    type: AssetType = wire("How the asset came to be.")
    angular: float | None = wire("How angular a texture's surface is, from 0 like a sphere to 1 like a machine part.")
    aspect_ratio: str | None = wire("The aspect ratio asked for, where the model takes one.")
    background_opacity: float | None = wire(
        "The opacity asked for the background of a cut-out, which Scenario no longer heeds."
    )
    base_model_id: strawberry.ID | None = wire("The base model, which may be chosen at inference time.")
    bbox: list[float] | None = wire("The box around the object to segment: x1, y1, x2, y2.")
    better_quality: bool | None = wire("Whether a segmentation smooths its masks for better quality.")
    canny_structure_image: strawberry.ID | None = wire(
        "The control image, an asset whose edges are already detected (Canny)."
    )
    clustering: bool | None = wire("Whether clustering is on; Scenario does not say of what.")
    color_correction: bool | None = wire("Whether each upscaled tile keeps the colour histogram of its original.")
    color_mode: str | None = wire("Whether a vectorization is in colour or in black and white.")
    color_precision: float | None = wire("Bits that a vectorization keeps of each colour channel.")
    concepts: list[MetadataConcept] | None = wire("The LoRAs that styled the image, for editing with FLUX.1 Kontext.")
    contours: list[list[list[list[float]]] | None] | None = wire(
        "The outlines of what a segmentation found, as points."
    )
    control_end: float | None = wire("The step at which the control image stops steering.")
    copied_at: datetime | None = wire("When the asset was copied into this project.")
    corner_threshold: float | None = wire("The least angle, in degrees, that a vectorization takes for a corner.")
    creativity: float | None = wire("How freely an upscale invents details that deviate from its input.")
    creativity_decay: float | None = wire("How creativity changes over an upscale; a lower value keeps less of it.")
    default_parameters: bool | None = wire("Whether a texture's default parameters are used.")
    depth_fidelity: float | None = wire("How closely the depth image is followed.")
    depth_image: strawberry.ID | None = wire("The control image, an asset whose depth is already estimated.")
    details_level: float | None = wire("How much detail is added, or removed when negative.")
    dilate: float | None = wire("How far a segmentation's mask is grown at its border.")
    factor: float | None = wire("The contrast of the grayscale detector.")
    file_name: str | None = wire("The name by which the files of its parent refer to this one, as delivered.")
    filter_speckle: float | None = wire("The size in pixels below which a vectorization drops a patch.")
    fractality: float | None = wire("The scale at which an upscale works; a higher value works finer and invents more.")
    geometry_enforcement: float | None = wire("How strongly the 360-degree geometry shapes a skybox.")
    guidance: float | None = wire("How closely the generation follows its prompt.")
    half_mode: bool | None = wire("Whether a segmentation computes in half precision.")
    hdr: float | None = wire("How strongly an upscale raises the dynamic range.")
    height: float | None = wire("Height of the rendered image in pixels.")
    high_threshold: float | None = wire("The upper threshold of the Canny edge detector.")
    horizontal_expansion_ratio: float | None = wire(
        "How far the image is extended sideways.", deprecation_reason="Scenario has deprecated it."
    )
    image: str | None = wire("The input image: an asset's id or a data URL.")
    image_fidelity: float | None = wire("How closely an upscale keeps to its input image.")
    image_type: ImageType | None = wire("Whether the image repeats without a seam, which an upscale then preserves.")
    inference_id: strawberry.ID | None = wire("The inference that made the asset.")
    input_fidelity: InputFidelity | None = wire("How closely GPT Image 1 keeps to the details of its input images.")
    input_location: InputLocation | None = wire("Where the input image stands in the reframed output.")
    invert: bool | None = wire("Whether a texture's relief is inverted.")
    keeps_file_names: bool | None = wire("Whether this file's own references to others are kept as delivered.")
    keypoint_threshold: float | None = wire("How sure the pose detector must be of a keypoint, from 0 to 1.")
    layer_difference: float | None = wire("The colour difference between the layers of a vectorization.")
    length_threshold: float | None = wire("The least length of a segment of a vectorization's curves.")
    lock_expires_at: datetime | None = wire("When the lock on the canvas expires.")
    low_threshold: float | None = wire("The lower threshold of the Canny edge detector.")
    mask: str | None = wire("The mask of the region that is generated or edited.")
    max_iterations: float | None = wire("The most passes in which a vectorization smooths its curves.")
    max_threshold: float | None = wire("The upper threshold of the grayscale detector.")
    min_threshold: float | None = wire("The lower threshold of the grayscale detector.")
    modality: Modality | None = wire("What a detection looks for.")
    mode: str | None = wire("The mode of the tool, such as the kind of curves that a vectorization fits.")
    model_id: strawberry.ID | None = wire("The model that made the asset.")
    model_type: ModelType | None = wire("The type of that model.")
    name: str | None = wire("The asset's name.")
    nb_masks: float | None = wire("Number of masks of a segmentation.")
    negative_prompt: str | None = wire("What the generation avoids.")
    negative_prompt_strength: float | None = wire("How much the negative prompt counts; none at 0.")
    num_inference_steps: float | None = wire("Number of denoising steps.")
    num_outputs: float | None = wire("Number of outputs asked for.")
    original_asset_id: strawberry.ID | None = wire("The original of the asset.")
    output_index: float | None = wire("Which of its job's outputs the asset is, from 0.")
    overlap_percentage: float | None = wire("How much of a reframed output overlaps its input.")
    override_embeddings: bool | None = wire("Whether only the prompts count, and not the model's own embeddings.")
    parent_id: strawberry.ID | None = wire("The asset that this one was made from.")
    parent_job_id: strawberry.ID | None = wire("The parent of the job that made the asset.")
    path_precision: float | None = wire("Number of decimals in a vectorization's paths.")
    points: list[list[float]] | None = wire("Points that steer a segmentation: label, x, y; label 1 marks the object.")
    polished: float | None = wire("How polished a texture's surface is, from 0, rough, to 1, like a mirror.")
    preset: str | None = wire("The preset that set the tool's other parameters.")
    progress_percent: float | None = wire("How far the making of the asset is, in per cent.")
    prompt: str | None = wire("The prompt that the asset was generated or edited from.")
    prompt_fidelity: float | None = wire("How closely an upscale follows its prompt.")
    raised: float | None = wire("How raised a texture's surface is, from 0 like water to 1 like rough rock.")
    reference_images: list[str] | None = wire("The images that the generation or edit refers to.")
    refinement_steps: float | None = wire("Number of refinements before an upscale enlarges.")
    remove_background: bool | None = wire("Whether the grayscale detector removes the background.")
    resize_option: float | None = wire("How much of a reframed output its input takes.")
    result_contours: bool | None = wire("Whether a segmentation gives outlines.")
    result_image: bool | None = wire("Whether a segmentation gives the cut-out instead of the mask.")
    result_mask: bool | None = wire("Whether a segmentation gives binary masks.")
    root_parent_id: strawberry.ID | None = wire("The first asset in the line that this one was made from.")
    save_flipbook: bool | None = wire("Whether a flipbook of the texture is made; never above 2048 x 2048 pixels.")
    scaling_factor: float | None = wire("How many times larger an upscale is, unless `targetWidth` is set.")
    scheduler: str | None = wire("The scheduler of the denoising steps.")
    seed: str | None = wire("The seed, with which the generation can be repeated.", convert=read_seed)
    sharpen: bool | None = wire("Whether upscaled tiles are sharpened.")
    shiny: float | None = wire("How shiny a texture's surface is, from 0, matte, to 1, like a diamond.")
    size: BigInt | None = wire("Size of the file in bytes.")
    sketch: bool | None = wire("Whether structure is detected as a sketch instead of Canny edges.")
    source_project_id: strawberry.ID | None = wire("The project that holds the original of a copied asset.")
    splice_threshold: float | None = wire("The least turn, in degrees, at which a vectorization splices its curves.")
    strength: float | None = wire("How strongly a LoRA of FLUX.1 Kontext changes the image.")
    structure_fidelity: float | None = wire("How closely the input image's structure is kept.")
    structure_image: strawberry.ID | None = wire("The control image, an asset whose edges give the structure.")
    style: AssetStyle | None = wire("The look asked for.")
    style_fidelity: float | None = wire("How closely the style images are followed.")
    style_images: list[strawberry.ID] | None = wire("The assets that give the style.")
    style_images_fidelity: float | None = wire("How much the style images count in an upscale.")
    target_height: float | None = wire("Height of the output asked for, in pixels.")
    target_width: float | None = wire("Width of an upscale asked for, in pixels; it precedes `scalingFactor`.")
    text: str | None = wire("What to segment, in words.")
    texture: strawberry.ID | None = wire("The asset that is turned into texture maps.")
    thumbnail: AssetImage | None = wire("The canvas's thumbnail.")
    tile_style: bool | None = wire("Whether an upscale matches the tiles of its input with those of the style images.")
    training_image: bool | None = wire("Whether the asset is an image that a model is trained on.")
    vertical_expansion_ratio: float | None = wire(
        "How far the image is extended up and down.", deprecation_reason="Scenario has deprecated it."
    )
    width: float | None = wire("Width of the rendered image in pixels.")
