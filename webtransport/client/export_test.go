package client

// Final and DoorsError are for the tests.
var Final = final

type DoorsError = doorsError
