#!/bin/sh
# A first look at the shipped model, then the whole way on synthetic images: make, plan, train two systems, predict
# held-out images, score, draw.
# The minutes are for two cores; DEMO_MINUTES_VIT and DEMO_MINUTES_CNN change them.
set -eu
DATASET=001
RAW=raw_data/Dataset001_Phantom
TEST=${DEMO_OUTPUT:-demo}

step() { printf '\n--- %s\n' "$1"; }

step "0/5 first look: the shipped model on ten synthetic images it has not seen"
if [ ! -f raw_data/Dataset002_FirstLook/dataset.json ]; then
  cervseg_phantom 002 --name FirstLook -n 10 --seed 4711 --domain wide --labels levels --long-side 800
fi
cervseg_predict -i raw_data/Dataset002_FirstLook/imagesTr -o "$TEST/first_look" -m spinous --levels --overlay
echo "Look at $TEST/first_look/overlays: spinous processes C1 to C7."
if [ ! -f "$RAW/dataset.json" ]; then
  step "1/5 synthetic lateral images with exact masks"
  cervseg_phantom -d $DATASET -n "${DEMO_IMAGES:-200}" --num-test 40 --seed 0
fi
step "2/5 fingerprint, plan, preprocess"
cervseg_plan_and_preprocess -d $DATASET
step "3/5 train (fold 0 of 5)"
cervseg_train $DATASET LiteUNetTrainer -f 0 --max-time "${DEMO_MINUTES_CNN:-4}m"
cervseg_train $DATASET CervSpineNetTrainer -f 0 --max-time "${DEMO_MINUTES_VIT:-5}m"
for trainer in LiteUNetTrainer CervSpineNetTrainer; do
  step "4/5 predict and score 40 held-out synthetic images: $trainer"
  cervseg_predict -i "$RAW/imagesTs" -o "$TEST/$trainer" -d $DATASET -tr $trainer --overlay
  cervseg_evaluate -p "$TEST/$trainer" -r "$RAW/labelsTs" -o "$TEST/$trainer/summary.json"
done
step "5/5 done"
echo "These are scores on phantoms (synthetic images); they say nothing about patients."
echo "Look at $TEST/*/overlays and at results/Dataset001_Phantom/*/fold_0/progress.png"
