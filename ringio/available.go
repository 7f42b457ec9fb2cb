package ringio

import "errors"

var errOldKernel = errors.New("ringio: this kernel's io_uring is too old: Linux 5.7 is the first that will do")
