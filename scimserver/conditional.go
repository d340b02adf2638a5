package scimserver

import (
	"net/http"
	"strings"
)

// notModified reports whether an answer is one that the client has already (RFC 7644, section 3.14; RFC 9110, section
// 13.1.2): a 200 to a GET whose version If-None-Match names. Tags are compared weakly.
func (x *exchange) notModified(a answer) bool {
	if x.method() != http.MethodGet || a.status != http.StatusOK || a.version == 0 {
		return false
	}
	for _, header := range x.r.Header.Values("If-None-Match") {
		for tag := range strings.SplitSeq(header, ",") {
			if tag = strings.TrimSpace(tag); tag == "*" || versionOf(tag) == a.version {
				return true
			}
		}
	}
	return false
}

// conditional turns an answer that the client has already into a 304.
func (x *exchange) conditional(a answer) answer {
	if !x.notModified(a) {
		return a
	}
	return answer{status: http.StatusNotModified, version: a.version, location: a.location}
}
