#!/bin/sh
# Prints what an image for a device (cpu or cuda) installs: requirements/runtime.txt with one build of ONNX Runtime
# in it, and the exporter of spans, since nothing can be added to a read-only image.
# Never both builds: they share an import folder, and the plain one hides CUDA.
set -eu
case "$1" in
    cpu) wanted='s/^onnxruntime==\([0-9.]*\).*/onnxruntime==\1/p' ;;
    cuda) wanted='s/^onnxruntime-gpu==\([0-9.]*\).*/onnxruntime-gpu[cuda,cudnn]==\1/p' ;;
    *) echo "DEVICE is cpu or cuda, not '$1'" >&2; exit 2 ;;
esac
sed -n -e "$wanted" -e '/^onnxruntime/!p' requirements/runtime.txt
grep '^opentelemetry-exporter-otlp-proto-http==' requirements/all.txt
