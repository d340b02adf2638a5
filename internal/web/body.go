package web

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// What ReadBody can find wrong with a body, beside errors of the connection.
var (
	ErrBodyTooLarge = errors.New("the body is too large")
	ErrBodyEncoding = errors.New("the body's Content-Encoding is not gzip")
	ErrBodyBroken   = errors.New("the body could not be read to its end")
)

// ReadBody reads a request's body, unpacked if it came by gzip, and no more than limit bytes of it either way. With
// ErrBodyTooLarge comes what was read so far.
func ReadBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	var from io.Reader = http.MaxBytesReader(w, r.Body, limit)
	switch strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding"))) {
	case "", "identity":
	case "gzip", "x-gzip":
		unpacked, err := gzip.NewReader(from)
		if err != nil {
			return nil, bodyError(err)
		}
		from = unpacked
	default:
		return nil, ErrBodyEncoding
	}
	body, err := io.ReadAll(io.LimitReader(from, limit+1))
	if err != nil {
		return body, bodyError(err)
	}
	if int64(len(body)) > limit {
		return body[:limit], ErrBodyTooLarge
	}
	return body, nil
}

func bodyError(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return ErrBodyTooLarge
	}
	return fmt.Errorf("%w: %w", ErrBodyBroken, err)
}
