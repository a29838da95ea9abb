#!/bin/sh
# The shipped model "spinous", from nothing: phantoms of the wide domain, LiteUNet from ImageNet weights, float16.
#   PRETRAIN_ROOT    workspace (default: pretrain; about 5 GB)
#   PRETRAIN_MESHES  folder of closed surfaces of bones: every second phantom is rendered from them
set -eu
export CERVSEG_ROOT="${PRETRAIN_ROOT:-pretrain}"
DATASET=901
OUT="${PRETRAIN_OUTPUT:-$CERVSEG_ROOT/spinous}"
mkdir -p "$CERVSEG_ROOT"

if [ ! -f "$CERVSEG_ROOT/raw_data/Dataset901_Pretrain/dataset.json" ]; then
  cervseg_phantom $DATASET --name Pretrain -n "${PRETRAIN_IMAGES:-6000}" --seed 20261 --long-side 576 \
    --labels anatomy --domain wide --overwrite ${PRETRAIN_MESHES:+--meshes "$PRETRAIN_MESHES"}
fi
[ -f "$CERVSEG_ROOT/plans/Dataset901_Pretrain/plans.json" ] || cervseg_plan_and_preprocess -d $DATASET
cervseg_train $DATASET LiteUNetTrainer -f all --set "epochs=${PRETRAIN_EPOCHS:-6}" ema_decay=0.999 \
  input_size=384x320 augmentation=wide
rm -rf "$OUT"
cervseg_export -d $DATASET -tr LiteUNetTrainer -f all -o "$OUT"
