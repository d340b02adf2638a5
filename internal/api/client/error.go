package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path/filepath"
	"strings"
)

// Error is an answer of the daemon other than a 2xx.
type Error struct {
	Status  int
	Code    string // invalid, conflict, not_found, ...; may be empty where a proxy answered
	Message string
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// Unreachable reports that no daemon answered.
type Unreachable struct {
	Socket string // the socket tried, or empty
	Server string // the server tried, or empty
	Err    error
}

// Error names what was tried and what to do.
func (e *Unreachable) Error() string {
	switch {
	case e.Socket == "":
		return fmt.Sprintf("no answer from %s: %v", e.Server, e.Err)
	case errors.Is(e.Err, fs.ErrPermission):
		return fmt.Sprintf("the socket %s may not be opened by you: run the command as the user that runs rosterd", e.Socket)
	}
	return fmt.Sprintf("no daemon answers on the socket %s (%v): start one with `rosterd serve --data-dir %s`",
		e.Socket, rootCause(e.Err), shellWord(filepath.Dir(e.Socket)))
}

// Unwrap returns the cause.
func (e *Unreachable) Unwrap() error { return e.Err }

func rootCause(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}

// shellWord quotes text where a shell would not take it as one word.
func shellWord(text string) string {
	if strings.IndexFunc(text, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+,:@%", r)
	}) < 0 {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

func (c *Client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return &Unreachable{Socket: c.socket, Server: c.server, Err: err}
}

// problem reads an error answer.
func problem(response *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(response.Body, maxProblem))
	e := &Error{Status: response.StatusCode}
	var answer struct {
		Problem
		Errors []struct {
			Message  string `json:"message"`
			Location string `json:"location"`
		} `json:"errors"`
	}
	if json.Unmarshal(text, &answer) == nil {
		e.Code, e.Message = answer.Code, answer.Detail
		if e.Message == "" {
			e.Message = answer.Title
		}
		for _, detail := range answer.Errors {
			e.Message += strings.TrimRight("; "+detail.Message+" "+detail.Location, " ")
		}
	}
	if location := response.Header.Get("Location"); e.Message == "" && location != "" {
		e.Message = fmt.Sprintf("the server answered %s and points to %s: give that address", response.Status, location)
	}
	if e.Message == "" {
		e.Message = "the server answered " + response.Status
	}
	return e
}

// Temporary reports whether trying again may help: no daemon answered, or a proxy in front of it had none.
func Temporary(err error) bool {
	var lost *Unreachable
	var answer *Error
	switch {
	case errors.As(err, &lost):
		return true
	case errors.As(err, &answer):
		return answer.Status == http.StatusBadGateway || answer.Status == http.StatusServiceUnavailable || answer.Status == http.StatusGatewayTimeout
	}
	return false
}
