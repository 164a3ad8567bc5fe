package model

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// maxEvent bounds an event of a stream, in bytes.
const maxEvent = 4 << 20

var errLongEvent = errors.New("the endpoint sends an event of more than 4 MiB")

// readEvents calls f with the data of each event of a stream of server-sent events (HTML Standard, section 9.2.6), until the stream
// ends or f returns an error. An event that the end cuts off is not complete, and is dropped. Data is valid during the call.
func readEvents(r io.Reader, f func(data []byte) error) error {
	in := bufio.NewReaderSize(r, 16<<10)
	var data []byte
	has := false
	for {
		line, err := readLine(in)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if len(line) == 0 {
			if has {
				if err := f(data); err != nil {
					return err
				}
			}
			data, has = data[:0], false
			continue
		}
		value, is := bytes.CutPrefix(line, []byte("data"))
		if !is || len(value) > 0 && value[0] != ':' { // a comment, or another field
			continue
		}
		value = bytes.TrimPrefix(bytes.TrimPrefix(value, []byte{':'}), []byte{' '})
		if len(data)+len(value) >= maxEvent {
			return errLongEvent
		}
		if has {
			data = append(data, '\n')
		}
		data, has = append(data, value...), true
	}
}

// readLine reads a line, which ends with \n or \r\n, without its end. The error is io.EOF for a line without an end.
func readLine(in *bufio.Reader) ([]byte, error) {
	var long []byte
	for {
		piece, err := in.ReadSlice('\n')
		switch {
		case err == nil && long == nil:
			return bytes.TrimRight(piece, "\r\n"), nil
		case err == nil:
			return bytes.TrimRight(append(long, piece...), "\r\n"), nil
		case err != bufio.ErrBufferFull:
			return nil, err
		case len(long)+len(piece) > maxEvent:
			return nil, errLongEvent
		}
		long = append(long, piece...)
	}
}
