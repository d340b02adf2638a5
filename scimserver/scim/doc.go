// Package scim is the SCIM 2.0 protocol itself (RFC 7643 and RFC 7644): schemas and discovery, tolerant decoding of
// resources, the filter and path grammar, PATCH, and projection. It does no I/O and knows no store.
//
// A resource type (NewUserType, NewGroupType) is immutable and is the first argument of everything whose meaning
// depends on a schema. A Resource is decoded JSON under the canonical names of its schema:
//
//	RFC 7644 3.3, 3.5.1  POST, PUT   DecodeResource, Validate
//	RFC 7644 3.5.2       PATCH       ParsePatch, then ApplyPatch for a user or ParseGroupEdit for a group
//	RFC 7644 3.4.2       GET, list   ParseListQuery, ParseFilter, ParseSort, Match
//	RFC 7644 3.9         answers     ParseProjection, Projection.Apply, SchemasOf, NewListResponse
//	RFC 7644 4           discovery   Schema.At, ResourceType.At, NewServiceProviderConfig
//
// What clients are known to get wrong and this package puts right is said beside each function. Every error that it
// returns for a client's input is an *Error with the status and scimType to answer with.
package scim
