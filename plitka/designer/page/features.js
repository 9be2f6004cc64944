// The page's features. Each has a module of its own, whose attach(designer) is called once, when the
// page starts; what it may use of the designer is in designer.js. Its styles are in a sheet of its own.

import { attachOffer } from "./offer.js";
import { attachOrder } from "./order.js";
import { attachOwnPhoto } from "./ownphoto.js";
import { attachScale } from "./scale.js";
import { attachSurface } from "./surface.js";
import { attachTexture } from "./texture.js";
import { attachVariants } from "./variants.js";

export const FEATURES = [
  attachVariants,
  attachSurface,
  attachOrder,
  attachOffer,
  attachScale,
  attachTexture,
  attachOwnPhoto,
];
