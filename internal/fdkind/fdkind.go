// Package fdkind tells what kind of file a descriptor is of, and what never works on
// which: for the errors of requests.
package fdkind
