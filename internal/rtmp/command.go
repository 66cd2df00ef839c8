package rtmp

import (
	"errors"
	"fmt"

	"github.com/rtmpd/rtmpd/internal/amf"
)

// maxCommandValues bounds the AMF values of one command. The largest connect in
// the field has some thirty.
const maxCommandValues = 1024

// A Command is a command message's body (RTMP 1.0 §7.2). It aliases nothing.
type Command struct {
	Name        string
	Transaction float64   // 0 when no answer is wanted
	Object      amf.Value // the command object, nil for null
	Args        []amf.Value
}

// ParseCommand decodes a message of type TypeCommandAMF0 or TypeCommandAMF3.
func ParseCommand(m Message) (Command, error) {
	body := m.Payload
	// Type 17 has a format selector of 0 in front. A string follows in either
	// case, so one that is missing does no harm.
	if m.Type == TypeCommandAMF3 && len(body) > 0 && body[0] == 0 {
		body = body[1:]
	}
	vs, err := amf.DecodeAll(body, maxCommandValues)
	if err != nil {
		if len(vs) > 0 {
			if name, ok := vs[0].(string); ok {
				return Command{}, fmt.Errorf("%.32q: %w", name, err)
			}
		}
		return Command{}, err
	}
	if len(vs) == 0 {
		return Command{}, errors.New("empty")
	}
	name, ok := vs[0].(string)
	if !ok {
		return Command{}, errors.New("begins without a name")
	}
	cmd := Command{Name: name}
	if len(vs) > 1 {
		cmd.Transaction, _ = vs[1].(float64)
	}
	if len(vs) > 2 {
		cmd.Object = vs[2]
		cmd.Args = vs[3:]
	}
	return cmd, nil
}

// commandMessage is the message of a command. The first of args is the command
// object.
func commandMessage(streamID uint32, name string, transaction float64, args []amf.Value) Message {
	body := amf.Append(nil, name)
	body = amf.Append(body, transaction)
	for _, v := range args {
		body = amf.Append(body, v)
	}
	m := Message{Type: TypeCommandAMF0, ChunkStreamID: csidAMF, StreamID: streamID, Payload: body}
	if streamID == 0 {
		m.ChunkStreamID = csidCommand
	}
	return m
}
