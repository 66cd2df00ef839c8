rtmp {
  max_message = 10M
}
