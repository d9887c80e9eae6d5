// Package oracle holds Waybill to what a log says, whatever the history of its
// imports. A simulator writes the logs of one or two gateways as Postfix would;
// a plain oracle reads each log once from its first line to its last, looks at
// everything and remembers nothing cleverly; the properties demand that a data
// directory which was filled in any other way gives the same answers.
package oracle
