/* weights/family/vit_names.h - published names for plain ViTs of any origin. */
#ifndef WS_WEIGHTS_FAMILY_VIT_NAMES_H
#define WS_WEIGHTS_FAMILY_VIT_NAMES_H

#include "weights/import/source.h"

/* Where the tensors are a frozen backbone's: drops wrappers in front of the names, translates
 * Hugging Face's and timm's, joins q, k and v, and drops what belongs to training. Other
 * checkpoints stay as they are. Architectures that only look alike (ViT-g, masked autoencoders,
 * DINOv3) are refused. */
wsam_status ws_vit_names_settle(ws_source *source, wsam_error *error);

#endif
