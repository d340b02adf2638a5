package scimserver

import (
	"net/http"
	"strings"

	"github.com/rosterd/rosterd/scimserver/scim"
)

// notModified reports whether an answer is one that the client has already (RFC 7644, section 3.14; RFC 9110, section
// 13.1.2): a 200 to a GET whose version If-None-Match names. Tags are compared weakly.
func (x *exchange) notModified(a answer) bool {
	if x.method() != http.MethodGet || a.status != http.StatusOK || a.version == 0 {
		return false
	}
	return namesVersion(x.r.Header.Values("If-None-Match"), a.version)
}

// namesVersion reports whether a version is among entity tags, compared weakly; * names any.
func namesVersion(headers []string, version int64) bool {
	for _, header := range headers {
		for tag := range strings.SplitSeq(header, ",") {
			if tag = strings.TrimSpace(tag); tag == "*" || versionOf(tag) == version {
				return true
			}
		}
	}
	return false
}

// noneMatch refuses a write to a resource whose version If-None-Match names (RFC 9110, section 13.1.2). A version never
// comes back, so that it need not be looked at again when the change is written.
func (x *exchange) noneMatch(current func() (int64, error)) error {
	headers := x.r.Header.Values("If-None-Match")
	if len(headers) == 0 {
		return nil
	}
	now, err := current()
	if err != nil {
		return err
	}
	if namesVersion(headers, now) {
		return scim.NewError(http.StatusPreconditionFailed, "If-None-Match names the resource's current version")
	}
	return nil
}

// conditional turns an answer that the client has already into a 304.
func (x *exchange) conditional(a answer) answer {
	if !x.notModified(a) {
		return a
	}
	return answer{status: http.StatusNotModified, version: a.version, location: a.location}
}
