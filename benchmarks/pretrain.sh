#!/bin/sh
# The shipped models, from nothing, in float16: phantoms of the wide domain teach "spinous" (LiteUNet from ImageNet
# weights), then "spinous_cervspinenet" (CervSpineNet of the size for a CPU; the shipped "spinous" makes its tokens).
#   PRETRAIN_ROOT    workspace (default: pretrain; about 5 GB)
#   PRETRAIN_MESHES  folder of closed surfaces of bones: every second phantom is rendered from them
set -eu
export CERVSEG_ROOT="${PRETRAIN_ROOT:-pretrain}"
OUT="${PRETRAIN_OUTPUT:-$CERVSEG_ROOT/shipped}"
STARTS="$(dirname "$0")/starts.py"
mkdir -p "$CERVSEG_ROOT" "$OUT"

# Dataset, its name, labels: phantoms of the same seed, planned.
phantoms() {
  if [ ! -f "$CERVSEG_ROOT/raw_data/Dataset$1_$2/dataset.json" ]; then
    cervseg_phantom "$1" --name "$2" -n "${PRETRAIN_IMAGES:-6000}" --seed 20261 --long-side 576 \
      --labels "$3" --domain wide --overwrite ${PRETRAIN_MESHES:+--meshes "$PRETRAIN_MESHES"}
  fi
  [ -f "$CERVSEG_ROOT/plans/Dataset$1_$2/plans.json" ] || cervseg_plan_and_preprocess -d "$1"
}

phantoms 901 Pretrain anatomy
cervseg_train 901 ImageNetLiteTrainer --trainer-file "$STARTS" -f all \
  --set "epochs=${PRETRAIN_EPOCHS:-6}" ema_decay=0.999 input_size=384x320 augmentation=wide
rm -rf "$OUT/spinous"
cervseg_export -d 901 -tr ImageNetLiteTrainer --trainer-file "$STARTS" -f all -o "$OUT/spinous"

phantoms 902 PretrainProcess process
cervseg_train 902 TokensCervSpineNetTrainer --trainer-file "$STARTS" -f all \
  --set "epochs=${PRETRAIN_EPOCHS_VIT:-3}" ema_decay=0.995 input_size=352x288 augmentation=wide
rm -rf "$OUT/spinous_cervspinenet"
cervseg_export -d 902 -tr TokensCervSpineNetTrainer --trainer-file "$STARTS" -f all -o "$OUT/spinous_cervspinenet"
