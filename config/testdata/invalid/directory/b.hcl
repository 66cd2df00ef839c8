rtmp {
  listen     = ":1936"
  chunk_size = "big"
}
rtmp {
  application "lost" {
  }
}
