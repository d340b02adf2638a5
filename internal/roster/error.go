package roster

import (
	"errors"
	"fmt"
)

// Code says what kind of failure an Error is. Each surface maps codes in one function: a SCIM error body, an API
// problem, an exit code.
type Code string

// The codes. Anything that is not an Error is internal: logged once and shown as such.
const (
	Invalid      Code = "invalid"
	Conflict     Code = "conflict"
	NotFound     Code = "not_found"
	Forbidden    Code = "forbidden"
	Unauthorized Code = "unauthorized"
	TooLarge     Code = "too_large"
	Unavailable  Code = "unavailable"
	Fenced       Code = "fenced" // the run's lease has passed to another holder
	Precondition Code = "precondition"
	Internal     Code = "internal"
)

// Error is a failure that a person or an IdP is told about.
type Error struct {
	Code    Code
	Message string
	// Detail is for the operator alone: it goes into the request log, never into the answer.
	Detail string
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// Errorf returns an *Error with that code.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// CodeOf returns the code of err, Internal for an error that carries none, and "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Internal
}
