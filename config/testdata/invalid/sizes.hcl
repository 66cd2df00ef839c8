rtmp {
  chunk_size  = "4x"
  ack_window  = -5
  max_message = "100M"
  application "a" {
    max_publishers = 1.5
    hls {
      path = "/srv/a"
      variant "_low" {
        bandwidth  = "fast"
        resolution = "720p"
        frame_rate = -1
      }
      fragment_naming_granularity = "many"
    }
  }
}
