"""What another converter made of a network, held against it: verdict, first layer, and a part of the file that shows the error."""
