def is_milestone(number):
    """Tell whether ``number`` is one of 1, 2, 5, 10, 20, 50, 100 ...: what repeats is told at these times."""
    while number and number % 10 == 0:
        number //= 10
    return number in (1, 2, 5)
