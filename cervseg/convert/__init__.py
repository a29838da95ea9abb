"""Other people's folders into dataset folders."""
