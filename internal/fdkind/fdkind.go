// Package fdkind tells what kind of file a descriptor refers to, and what never works
// on which kind, for the errors of requests.
package fdkind
