# Recordings in two formats: an MP4 an hour to download and edit, for a month; and
# the same as FLV with everything that the publisher sends, as much as fits on the disk.

rtmp {
  listen = ":1935"

  application "live" {
    record "hours" {
      path     = "/srv/recordings/$app"
      format   = "mp4"
      suffix   = "-%Y%m%d-%H%M%S.mp4"
      interval = "1h"
      keep_for = "30d"
    }

    record "raw" {
      path      = "/srv/raw/$app"
      tracks    = ["audio", "video", "data"]
      suffix    = "-%Y%m%d-%H%M%S.flv"
      keep_size = "100G"
      min_free  = "5G"
    }
  }
}
