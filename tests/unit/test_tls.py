"""An error that OpenSSL keeps for this thread is put there through its own functions, and looked for there."""

import _ssl
import ctypes
import threading
import unittest

from lib import tls

ERR_LIB_SYS = 2
ECONNRESET = 104


def openssl() -> ctypes.CDLL:
    """The OpenSSL that Python's `ssl` uses. Raises SkipTest where its functions can't be reached."""
    library = ctypes.CDLL(getattr(_ssl, "__file__", None))
    try:
        library.ERR_peek_error.restype = ctypes.c_ulong
        library.ERR_set_error.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_char_p]
    except AttributeError:
        raise unittest.SkipTest("this Python's OpenSSL can't be called from here") from None
    return library


def leave_an_error(library: ctypes.CDLL) -> None:
    """What is left by a connection that was reset amid a write."""
    library.ERR_new()
    library.ERR_set_error(ERR_LIB_SYS, ECONNRESET, None)


class ForgetErrors(unittest.TestCase):
    def setUp(self) -> None:
        self.openssl = openssl()
        self.addCleanup(self.openssl.ERR_clear_error)

    def test_nothing_is_left_in_the_thread(self) -> None:
        for _ in range(3):
            leave_an_error(self.openssl)
        self.assertNotEqual(self.openssl.ERR_peek_error(), 0)

        tls.forget_errors()

        self.assertEqual(self.openssl.ERR_peek_error(), 0)

    def test_another_thread_keeps_its_own(self) -> None:
        leave_an_error(self.openssl)

        other = threading.Thread(target=tls.forget_errors)
        other.start()
        other.join()

        self.assertNotEqual(self.openssl.ERR_peek_error(), 0)

    def test_a_thread_without_errors_is_left_as_it_is(self) -> None:
        tls.forget_errors()

        self.assertEqual(self.openssl.ERR_peek_error(), 0)
