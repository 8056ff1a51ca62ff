"""The messages of ``caffe.proto``, as far as a prototxt names them: one line a message.

A field is ``name:type``, with ``*`` after the type if it is repeated and ``=value`` for a default
that is not zero. Types are those of protocol buffers, a message, or an enumeration of ``ENUMS``.
The text format knows fields by name, so no field numbers are kept here; those of a caffemodel are
in :mod:`conformance.runtimes.caffe.caffemodel`. Layer types of common forks (SSD, NVIDIA) have
their options here too, so that a file can be read before anything is said about it.
"""

from __future__ import annotations

from collections.abc import Mapping

ENUMS: Mapping[str, str] = {
    "Phase": "TRAIN=0 TEST=1",
    "DimCheckMode": "STRICT=0 PERMISSIVE=1",
    "Engine": "DEFAULT=0 CAFFE=1 CUDNN=2",
    "VarianceNorm": "FAN_IN=0 FAN_OUT=1 AVERAGE=2",
    "NormalizationMode": "FULL=0 VALID=1 BATCH_SIZE=2 NONE=3",
    "DB": "LEVELDB=0 LMDB=1",
    "EltwiseOp": "PROD=0 SUM=1 MAX=2",
    "HingeNorm": "L1=1 L2=2",
    "NormRegion": "ACROSS_CHANNELS=0 WITHIN_CHANNEL=1",
    "PoolMethod": "MAX=0 AVE=1 STOCHASTIC=2",
    "RoundMode": "CEIL=0 FLOOR=1",
    "ReductionOp": "SUM=1 ASUM=2 SUMSQ=3 MEAN=4",
    "BoxCode": "CORNER=1 CENTER_SIZE=2 CORNER_SIZE=3",
    "V1Type": (
        "NONE=0 ACCURACY=1 BNLL=2 CONCAT=3 CONVOLUTION=4 DATA=5 DROPOUT=6 EUCLIDEAN_LOSS=7 "
        "FLATTEN=8 HDF5_DATA=9 HDF5_OUTPUT=10 IM2COL=11 IMAGE_DATA=12 INFOGAIN_LOSS=13 "
        "INNER_PRODUCT=14 LRN=15 MULTINOMIAL_LOGISTIC_LOSS=16 POOLING=17 RELU=18 SIGMOID=19 "
        "SOFTMAX=20 SOFTMAX_LOSS=21 SPLIT=22 TANH=23 WINDOW_DATA=24 ELTWISE=25 POWER=26 "
        "SIGMOID_CROSS_ENTROPY_LOSS=27 HINGE_LOSS=28 MEMORY_DATA=29 ARGMAX=30 THRESHOLD=31 "
        "DUMMY_DATA=32 SLICE=33 MVN=34 ABSVAL=35 SILENCE=36 CONTRASTIVE_LOSS=37 EXP=38 "
        "DECONVOLUTION=39"
    ),
}
"""Every enumeration, with the numbers that a text file may give instead of names."""

_NET = {
    "NetParameter": (
        "name:string input:string* input_shape:BlobShape* input_dim:int32* force_backward:bool "
        "state:NetState debug_info:bool layer:LayerParameter* layers:V1LayerParameter*"
    ),
    "NetState": "phase:Phase=TEST level:int32 stage:string*",
    "NetStateRule": ("phase:Phase min_level:int32 max_level:int32 stage:string* not_stage:string*"),
    "ParamSpec": ("name:string share_mode:DimCheckMode lr_mult:float=1 decay_mult:float=1"),
    "BlobShape": "dim:int64*",
    "FillerParameter": (
        "type:string=constant value:float min:float max:float=1 mean:float std:float=1 "
        "sparse:int32=-1 variance_norm:VarianceNorm"
    ),
}

_OF_BOTH = (
    "accuracy_param:AccuracyParameter argmax_param:ArgMaxParameter concat_param:ConcatParameter "
    "contrastive_loss_param:ContrastiveLossParameter convolution_param:ConvolutionParameter "
    "data_param:DataParameter dropout_param:DropoutParameter "
    "dummy_data_param:DummyDataParameter eltwise_param:EltwiseParameter exp_param:ExpParameter "
    "hdf5_data_param:HDF5DataParameter hdf5_output_param:HDF5OutputParameter "
    "hinge_loss_param:HingeLossParameter image_data_param:ImageDataParameter "
    "infogain_loss_param:InfogainLossParameter inner_product_param:InnerProductParameter "
    "loss_param:LossParameter lrn_param:LRNParameter memory_data_param:MemoryDataParameter "
    "mvn_param:MVNParameter pooling_param:PoolingParameter power_param:PowerParameter "
    "relu_param:ReLUParameter sigmoid_param:EngineParameter slice_param:SliceParameter "
    "softmax_param:SoftmaxParameter tanh_param:EngineParameter "
    "threshold_param:ThresholdParameter transform_param:TransformationParameter "
    "window_data_param:WindowDataParameter "
)

_LAYERS = {
    "LayerParameter": (
        "name:string type:string bottom:string* top:string* phase:Phase loss_weight:float* "
        "param:ParamSpec* propagate_down:bool* include:NetStateRule* exclude:NetStateRule* "
        f"{_OF_BOTH}"
        "annotated_data_param:AnnotatedDataParameter batch_norm_param:BatchNormParameter "
        "bias_param:BiasParameter clip_param:ClipParameter crop_param:CropParameter "
        "detection_output_param:DetectionOutputParameter elu_param:ELUParameter "
        "embed_param:EmbedParameter flatten_param:FlattenParameter input_param:InputParameter "
        "log_param:ExpParameter norm_param:NormalizeParameter "
        "parameter_param:ParameterParameter permute_param:PermuteParameter "
        "prelu_param:PReLUParameter prior_box_param:PriorBoxParameter "
        "python_param:PythonParameter recurrent_param:RecurrentParameter "
        "reduction_param:ReductionParameter reshape_param:ReshapeParameter "
        "scale_param:ScaleParameter spp_param:SPPParameter swish_param:SwishParameter "
        "tile_param:TileParameter"
    ),
    "V1LayerParameter": (
        "bottom:string* top:string* name:string include:NetStateRule* exclude:NetStateRule* "
        "type:V1Type param:string* blob_share_mode:DimCheckMode* blobs_lr:float* "
        f"weight_decay:float* loss_weight:float* {_OF_BOTH}"
    ),
}

_COMPUTING = {
    "EngineParameter": "engine:Engine",
    "ArgMaxParameter": "out_max_val:bool top_k:uint32=1 axis:int32",
    "BatchNormParameter": (
        "use_global_stats:bool moving_average_fraction:float=0.999 eps:float=1e-5 scale_bias:bool"
    ),
    "BiasParameter": "axis:int32=1 num_axes:int32=1 filler:FillerParameter",
    "ClipParameter": "min:float max:float",
    "ConcatParameter": "axis:int32=1 concat_dim:uint32=1",
    "ConvolutionParameter": (
        "num_output:uint32 bias_term:bool=true pad:uint32* kernel_size:uint32* stride:uint32* "
        "dilation:uint32* pad_h:uint32 pad_w:uint32 kernel_h:uint32 kernel_w:uint32 "
        "stride_h:uint32 stride_w:uint32 group:uint32=1 weight_filler:FillerParameter "
        "bias_filler:FillerParameter engine:Engine axis:int32=1 force_nd_im2col:bool"
    ),
    "CropParameter": "axis:int32=2 offset:uint32*",
    "DropoutParameter": "dropout_ratio:float=0.5 scale_train:bool=true",
    "EltwiseParameter": "operation:EltwiseOp=SUM coeff:float* stable_prod_grad:bool=true",
    "ELUParameter": "alpha:float=1",
    "EmbedParameter": (
        "num_output:uint32 input_dim:uint32 bias_term:bool=true weight_filler:FillerParameter "
        "bias_filler:FillerParameter"
    ),
    "ExpParameter": "base:float=-1 scale:float=1 shift:float",
    "FlattenParameter": "axis:int32=1 end_axis:int32=-1",
    "InnerProductParameter": (
        "num_output:uint32 bias_term:bool=true weight_filler:FillerParameter "
        "bias_filler:FillerParameter axis:int32=1 transpose:bool"
    ),
    "InputParameter": "shape:BlobShape*",
    "LRNParameter": (
        "local_size:uint32=5 alpha:float=1 beta:float=0.75 norm_region:NormRegion k:float=1 "
        "engine:Engine"
    ),
    "MVNParameter": "normalize_variance:bool=true across_channels:bool eps:float=1e-9",
    "NormalizeParameter": (
        "across_spatial:bool=true scale_filler:FillerParameter channel_shared:bool=true "
        "eps:float=1e-10"
    ),
    "ParameterParameter": "shape:BlobShape",
    "PermuteParameter": "order:uint32*",
    "PoolingParameter": (
        "pool:PoolMethod pad:uint32 pad_h:uint32 pad_w:uint32 kernel_size:uint32 kernel_h:uint32 "
        "kernel_w:uint32 stride:uint32=1 stride_h:uint32 stride_w:uint32 engine:Engine "
        "global_pooling:bool round_mode:RoundMode ceil_mode:bool=true"
    ),
    "PowerParameter": "power:float=1 scale:float=1 shift:float",
    "PReLUParameter": "filler:FillerParameter channel_shared:bool",
    "RecurrentParameter": (
        "num_output:uint32 weight_filler:FillerParameter bias_filler:FillerParameter "
        "debug_info:bool expose_hidden:bool"
    ),
    "ReductionParameter": "operation:ReductionOp=SUM axis:int32 coeff:float=1",
    "ReLUParameter": "negative_slope:float engine:Engine",
    "ReshapeParameter": "shape:BlobShape axis:int32 num_axes:int32=-1",
    "ScaleParameter": (
        "axis:int32=1 num_axes:int32=1 filler:FillerParameter bias_term:bool "
        "bias_filler:FillerParameter"
    ),
    "SliceParameter": "axis:int32=1 slice_point:uint32* slice_dim:uint32=1",
    "SoftmaxParameter": "engine:Engine axis:int32=1",
    "SPPParameter": "pyramid_height:uint32 pool:PoolMethod engine:Engine",
    "SwishParameter": "beta:float=1",
    "ThresholdParameter": "threshold:float",
    "TileParameter": "axis:int32=1 tiles:int32",
}

_SOURCE = "source:string batch_size:uint32"
_OLD_TRANSFORM = "scale:float=1 mean_file:string crop_size:uint32 mirror:bool"

_DATA_AND_LOSS = {
    "AccuracyParameter": "top_k:uint32=1 axis:int32=1 ignore_label:int32",
    "AnnotatedDataParameter": "label_map_file:string",
    "ContrastiveLossParameter": "margin:float=1 legacy_version:bool",
    "DataParameter": (
        f"{_SOURCE} {_OLD_TRANSFORM} rand_skip:uint32 backend:DB force_encoded_color:bool "
        "prefetch:uint32=4"
    ),
    "DetectionOutputParameter": (
        "num_classes:uint32 share_location:bool=true background_label_id:int32 "
        "nms_param:NonMaximumSuppressionParameter save_output_param:SaveOutputParameter "
        "code_type:BoxCode variance_encoded_in_target:bool keep_top_k:int32=-1 "
        "confidence_threshold:float"
    ),
    "DummyDataParameter": (
        "data_filler:FillerParameter* shape:BlobShape* num:uint32* channels:uint32* "
        "height:uint32* width:uint32*"
    ),
    "HDF5DataParameter": f"{_SOURCE} shuffle:bool",
    "HDF5OutputParameter": "file_name:string",
    "HingeLossParameter": "norm:HingeNorm",
    "ImageDataParameter": (
        f"{_SOURCE} {_OLD_TRANSFORM} rand_skip:uint32 shuffle:bool new_height:uint32 "
        "new_width:uint32 is_color:bool=true root_folder:string"
    ),
    "InfogainLossParameter": "source:string axis:int32=1",
    "LossParameter": "ignore_label:int32 normalization:NormalizationMode normalize:bool",
    "MemoryDataParameter": "batch_size:uint32 channels:uint32 height:uint32 width:uint32",
    "NonMaximumSuppressionParameter": "nms_threshold:float=0.3 top_k:int32 eta:float=1",
    "PriorBoxParameter": (
        "min_size:float* max_size:float* aspect_ratio:float* flip:bool=true clip:bool "
        "variance:float* img_size:uint32 img_h:uint32 img_w:uint32 step:float step_h:float "
        "step_w:float offset:float=0.5"
    ),
    "PythonParameter": "module:string layer:string param_str:string share_in_parallel:bool",
    "SaveOutputParameter": (
        "output_directory:string output_name_prefix:string output_format:string "
        "label_map_file:string name_size_file:string num_test_image:uint32"
    ),
    "TransformationParameter": (
        "scale:float=1 mirror:bool crop_size:uint32 mean_file:string mean_value:float* "
        "force_color:bool force_gray:bool"
    ),
    "WindowDataParameter": (
        f"{_SOURCE} {_OLD_TRANSFORM} fg_threshold:float=0.5 bg_threshold:float=0.5 "
        "fg_fraction:float=0.25 context_pad:uint32 crop_mode:string=warp cache_images:bool "
        "root_folder:string"
    ),
}

MESSAGES: Mapping[str, str] = {**_NET, **_LAYERS, **_COMPUTING, **_DATA_AND_LOSS}
"""Every message, by name."""
