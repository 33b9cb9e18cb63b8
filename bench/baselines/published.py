"""Writes published.jsonl: figures that others printed, with what they say of the protocol. Not run by anything: the rows are
stored; change them here, where a line is short, and run it.

`date` is when the figure was read. A type that the page does not name is "unstated", a runtime or level empty; `notes` is for people."""
import json
import os

READ = "2026-11"
FAST = "github.com/pytorch-labs/segment-anything-fast experiments/p4d_results/results_bs{}_vit_{}.csv"
FIELDS = "device model type runtime level resolution prompts scenario batch timed_region images_per_s p50_ms source notes".split()
rows = [
    # one point per annotation of COCO val2017, 7.3 on average (a row has whole prompts); the whole loop is timed
    ("A100 40 GB", "sam_vit_h", "f32", "pytorch", "eager", 1024, 7, "Offline", 8, "encode+prompts", 2.78, None, FAST.format(8, "h"), "7.3 prompts on average; mIoU 0.584"),
    ("A100 40 GB", "sam_vit_h", "bf16", "pytorch", "eager", 1024, 7, "Offline", 8, "encode+prompts", 14.9, None, FAST.format(8, "h"), "7.3 prompts on average"),
    ("A100 40 GB", "sam_vit_h", "bf16", "pytorch", "compile, SDPA, nested tensors", 1024, 7, "Offline", 8, "encode+prompts", 23.2, None,
     FAST.format(8, "h"), "7.3 prompts on average"),
    ("A100 40 GB", "sam_vit_h", "int8", "pytorch", "the same, dynamic int8", 1024, 7, "Offline", 8, "encode+prompts", 24.9, None,
     FAST.format(8, "h"), "7.3 prompts on average; mIoU 0.582, memory 4.2 GB"),
    ("A100 40 GB", "sam_vit_b", "bf16", "pytorch", "compile", 1024, 7, "Offline", 32, "encode+prompts", 50.1, None, FAST.format(32, "b"), "7.3 prompts on average"),
    ("A100 40 GB", "sam_vit_b", "bf16", "pytorch", "compile, SDPA, nested tensors", 1024, 7, "Offline", 32, "encode+prompts", 94.9, None,
     FAST.format(32, "b"), "7.3 prompts on average"),
    ("RTX 3090", "sam_vit_h", "unstated", "", "", 1024, 1, "SingleStream", 1, "encode+prompts", None, 446,
     "github.com/CASIA-IVA-Lab/FastSAM README", "memory 7.1 GB"),
    ("RTX 3090", "sam_vit_b", "unstated", "", "", 1024, 1, "SingleStream", 1, "encode+prompts", None, 110,
     "github.com/CASIA-IVA-Lab/FastSAM README", "memory 4.7 GB"),
    ("RTX 3090", "sam_vit_h", "unstated", "", "", 1024, 1024, "SingleStream", 1, "everything", None, 2099,
     "github.com/CASIA-IVA-Lab/FastSAM README", "32 x 32 grid"),
    ("RTX 3090", "sam_vit_b", "unstated", "", "", 1024, 1024, "SingleStream", 1, "everything", None, 1383,
     "github.com/CASIA-IVA-Lab/FastSAM README", "32 x 32 grid"),
    ("one GPU, not named", "sam_vit_h", "unstated", "", "", 1024, 1, "SingleStream", 1, "encode+prompts", None, 456,
     "github.com/ChaoningZhang/MobileSAM README", "encoder 452, decoder 4 ms"),
    ("one GPU, not named", "mobile_sam", "unstated", "", "", 1024, 1, "SingleStream", 1, "encode+prompts", None, 12,
     "github.com/ChaoningZhang/MobileSAM README", "encoder 8, decoder 4 ms"),
    ("one GPU, not named", "mobile_sam", "unstated", "", "", 1024, 0, "SingleStream", 1, "encoder", None, 8,
     "github.com/ChaoningZhang/MobileSAM README", ""),
    ("one GPU, not named", "sam_vit_h", "unstated", "", "", 1024, 0, "SingleStream", 1, "encoder", None, 452,
     "github.com/ChaoningZhang/MobileSAM README", ""),
    ("RTX 2080 Ti", "sam_vit_h", "unstated", "", "", 1024, 1, "SingleStream", 1, "encode+prompts", 4.3, None,
     "github.com/chongzhou96/EdgeSAM README", "the page says SAM"),
    ("RTX 2080 Ti", "mobile_sam", "unstated", "", "", 1024, 1, "SingleStream", 1, "encode+prompts", 103.5, None,
     "github.com/chongzhou96/EdgeSAM README", ""),
    ("Jetson AGX Orin", "mobile_sam", "f32", "TensorRT", "", 1024, 0, "SingleStream", 1, "encoder", None, 35,
     "github.com/NVIDIA-AI-IOT/nanosam README", ""),
    ("Jetson AGX Orin", "mobile_sam", "f32", "TensorRT", "", 1024, 1, "SingleStream", 1, "encode+prompts", None, 39,
     "github.com/NVIDIA-AI-IOT/nanosam README", ""),
    ("Jetson Orin Nano", "mobile_sam", "f32", "TensorRT", "", 1024, 1, "SingleStream", 1, "encode+prompts", None, 146,
     "github.com/NVIDIA-AI-IOT/nanosam README", ""),
    ("iPhone 14", "mobile_sam", "unstated", "Core ML", "", 1024, 1, "SingleStream", 1, "encode+prompts", 4.9, None,
     "github.com/chongzhou96/EdgeSAM README", ""),
    ("V100 16 GB", "sam_vit_h", "unstated", "", "", 1024, 144, "SingleStream", 1, "everything", 1.27, None,
     "github.com/Expedit-LargeScale-Vision-Transformer/Expedit-SAM README", "12 x 12 grid"),
    # CPUs
    ("Intel CPU, 36 threads", "sam_vit_b", "f32", "OpenVINO 2023.1", "12 streams", 1024, 0, "Offline", 1, "encoder", 0.97, None,
     "github.com/openvinotoolkit/openvino docs/notebooks/segment-anything-with-output.rst", "latency under load 12.2 s"),
    ("Intel CPU, 36 threads", "sam_vit_b", "int8", "OpenVINO 2023.1", "NNCF, 12 streams", 1024, 0, "Offline", 1, "encoder", 1.66, None,
     "github.com/openvinotoolkit/openvino docs/notebooks/segment-anything-with-output.rst", "latency under load 7.2 s"),
    ("M2 Ultra, 8 threads", "sam_vit_b", "fp16", "ggml (sam.cpp)", "", 1024, 1, "SingleStream", 1, "encode+prompts", None, 2050,
     "github.com/YavorGIvanov/sam.cpp README", "loading included"),
    ("MacBook M1 Pro", "mobile_sam", "unstated", "Core ML", "", 1024, 0, "SingleStream", 1, "encoder", None, 482,
     "github.com/THU-MIG/RepViT sam/README", ""),
    ("MacBook M1 Pro", "sam_vit_b", "unstated", "Core ML", "", 1024, 0, "SingleStream", 1, "encoder", None, 6250,
     "github.com/THU-MIG/RepViT sam/README", ""),
    ("Intel i9-11950H, 8 cores", "efficient_sam_ti", "unstated", "ONNX Runtime", "", 1024, 0, "SingleStream", 1, "encoder", None, 966,
     "github.com/vietanhdev/samexporter README", "image of 1800 x 1200, median of 10"),
]
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "published.jsonl"), "w") as f:
    for values in rows:
        r = {**dict(zip(FIELDS, values)), "kind": "published", "date": READ}
        f.write(json.dumps(r) + "\n")
