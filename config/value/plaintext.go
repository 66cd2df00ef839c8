package value

import (
	"bytes"
	"errors"
)

// PlainText returns the content of a text file without the byte order mark that some editors
// and shells write before UTF-8. UTF-16 is an error.
func PlainText(data []byte) ([]byte, error) {
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return nil, errors.New("this is UTF-16: save it as UTF-8")
	}
	return bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), nil
}
