package scim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

// ErrorURN is the schema of an error body (RFC 7644, section 3.12).
const ErrorURN = "urn:ietf:params:scim:api:messages:2.0:Error"

// The detail error keywords of RFC 7644, section 3.12, table 9.
const (
	TypeInvalidFilter = "invalidFilter"
	TypeTooMany       = "tooMany"
	TypeUniqueness    = "uniqueness"
	TypeMutability    = "mutability"
	TypeInvalidSyntax = "invalidSyntax"
	TypeInvalidPath   = "invalidPath"
	TypeNoTarget      = "noTarget"
	TypeInvalidValue  = "invalidValue"
	TypeInvalidVers   = "invalidVers"
	TypeSensitive     = "sensitive"
)

// The detail error keywords that RFC 9865, section 2.1, adds.
const (
	TypeInvalidCursor = "invalidCursor"
	TypeExpiredCursor = "expiredCursor"
	TypeInvalidCount  = "invalidCount"
)

// Error is what a client is told when a request fails (RFC 7644, section 3.12). It encodes as the response's body.
type Error struct {
	Status int    // the HTTP status
	Type   string // scimType; empty where the RFC defines none
	Detail string // for a person; never holds a secret
}

// Error implements error.
func (e *Error) Error() string {
	if e.Type == "" {
		return fmt.Sprintf("scim %d: %s", e.Status, e.Detail)
	}
	return fmt.Sprintf("scim %d %s: %s", e.Status, e.Type, e.Detail)
}

// MarshalJSON encodes the body of RFC 7644, section 3.12, in which the status is a string.
func (e *Error) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Schemas []string `json:"schemas"`
		Status  string   `json:"status"`
		Type    string   `json:"scimType,omitempty"`
		Detail  string   `json:"detail,omitempty"`
	}{[]string{ErrorURN}, strconv.Itoa(e.Status), e.Type, e.Detail})
}

// NewError returns an error with a status and no scimType, such as a 404.
func NewError(status int, format string, args ...any) *Error {
	return &Error{Status: status, Detail: fmt.Sprintf(format, args...)}
}

func badRequest(kind, format string, args []any) *Error {
	return &Error{Status: http.StatusBadRequest, Type: kind, Detail: fmt.Sprintf(format, args...)}
}

// InvalidFilter is a 400: the filter breaks the grammar, or compares what cannot be compared (RFC 7644, 3.12).
func InvalidFilter(format string, args ...any) *Error {
	return badRequest(TypeInvalidFilter, format, args)
}

// TooMany is a 400: the filter yields more results than the server is willing to calculate (RFC 7644, 3.12).
func TooMany(format string, args ...any) *Error { return badRequest(TypeTooMany, format, args) }

// Uniqueness is a 409: a value is taken by another resource (RFC 7644, 3.12; the status is that of 3.3).
func Uniqueness(format string, args ...any) *Error {
	return &Error{Status: http.StatusConflict, Type: TypeUniqueness, Detail: fmt.Sprintf(format, args...)}
}

// Mutability is a 400: the change is not compatible with the attribute's mutability (RFC 7644, 3.12).
func Mutability(format string, args ...any) *Error { return badRequest(TypeMutability, format, args) }

// InvalidSyntax is a 400: the body is not well formed or breaks the request's schema (RFC 7644, 3.12).
func InvalidSyntax(format string, args ...any) *Error {
	return badRequest(TypeInvalidSyntax, format, args)
}

// InvalidPath is a 400: a PATCH path is malformed (RFC 7644, 3.12).
func InvalidPath(format string, args ...any) *Error { return badRequest(TypeInvalidPath, format, args) }

// NoTarget is a 400: a PATCH path yields nothing that could be operated on (RFC 7644, 3.12).
func NoTarget(format string, args ...any) *Error { return badRequest(TypeNoTarget, format, args) }

// InvalidValue is a 400: a required value is missing, or a value does not fit its attribute (RFC 7644, 3.12).
func InvalidValue(format string, args ...any) *Error {
	return badRequest(TypeInvalidValue, format, args)
}

// InvalidVers is a 400: the protocol version asked for is not supported (RFC 7644, 3.12).
func InvalidVers(format string, args ...any) *Error { return badRequest(TypeInvalidVers, format, args) }

// Sensitive is a 403: the request carried personal data where it must not be, in a URI (RFC 7644, 3.12 and 7.5.2).
func Sensitive(format string, args ...any) *Error {
	return &Error{Status: http.StatusForbidden, Type: TypeSensitive, Detail: fmt.Sprintf(format, args...)}
}

// InvalidCursor is a 400: the cursor is not one that this query was given (RFC 9865, section 2.1).
func InvalidCursor(format string, args ...any) *Error {
	return badRequest(TypeInvalidCursor, format, args)
}

// ExpiredCursor is a 400: the cursor is older than cursorTimeout (RFC 9865, section 2.1).
func ExpiredCursor(format string, args ...any) *Error {
	return badRequest(TypeExpiredCursor, format, args)
}

// InvalidCount is a 400: the count of a query by cursor is out of range, or not that of the first page (RFC 9865, 2.1).
func InvalidCount(format string, args ...any) *Error {
	return badRequest(TypeInvalidCount, format, args)
}
