#!/bin/sh
# Runs a command for an image if a signed verdict lets it be used:
#   deploy.sh NAME@sha256:HEX BUNDLE COMMAND...
# TRUST_ROOT says whom to believe, STELLA which program verifies. The command finds the image
# as $IMAGE in its environment, such as: sh -c 'kubectl set image deployment/web "web=$IMAGE"'
set -eu

if [ $# -lt 3 ]; then
	echo "usage: deploy.sh NAME@sha256:HEX BUNDLE COMMAND..." >&2
	exit 64
fi
IMAGE=$1 bundle=$2
shift 2
case $IMAGE in
*@sha256:*) ;;
*)
	echo "deploy: $IMAGE is a tag, and what it stands for may change: name it by its digest" >&2
	exit 64
	;;
esac

# A path with a folder, or "-" would be read as something else.
case $bundle in
/* | ./* | ../*) ;;
*) bundle=./$bundle ;;
esac

# set -e ends this where anything is not proved; the exit code is then 4.
"${STELLA:-stella}" verify "$bundle" --offline --trust-root "${TRUST_ROOT:-trust.json}" \
	--subject "${IMAGE##*@}" --type verdict --outcome pass,warn

export IMAGE
exec "$@"
