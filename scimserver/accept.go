package scimserver

import (
	"mime"
	"strconv"
	"strings"
)

// plainJSON is the other type in which answers can be had (RFC 7644, section 3.8).
const plainJSON = "application/json"

// answerType is the type of an answer: SCIM's own, unless the client prefers plain JSON by name. What else a client accepts
// makes no difference: it gets an answer that it may be able to read rather than none (RFC 9110, section 12.5.1).
func answerType(accept []string) string {
	best := map[string]float64{}
	for part := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		kind, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		weight := 1.0
		if q, given := params["q"]; given {
			if weight, err = strconv.ParseFloat(q, 64); err != nil {
				continue
			}
		}
		best[kind] = max(best[kind], weight)
	}
	own, named := best[mediaType]
	for _, kind := range []string{"application/*", "*/*"} {
		if weight, ok := best[kind]; ok && !named {
			own, named = weight, true
		}
	}
	if best[plainJSON] > own {
		return plainJSON
	}
	return mediaType
}
