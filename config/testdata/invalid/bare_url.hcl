http {
  public_url = https://chat.example
}
